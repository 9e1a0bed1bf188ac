import { testContract } from './contract.ts';

testContract('workerd');
