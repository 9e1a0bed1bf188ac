import { testContract } from './contract.ts';

testContract('runc');
