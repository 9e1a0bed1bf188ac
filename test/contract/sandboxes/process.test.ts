import { testContract } from './contract.ts';

testContract('process');
