import { testContract } from './contract.ts';

testContract('gvisor');
